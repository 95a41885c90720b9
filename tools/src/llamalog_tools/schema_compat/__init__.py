"""Compatibility of the schemas with published ones: by rule, backward and forward."""
