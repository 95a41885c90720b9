"""Whether a published schema still means what was published: by rule, both ways, against the last release."""
