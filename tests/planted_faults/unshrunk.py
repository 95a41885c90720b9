"""A plugin of pytest: counterexamples are neither made small nor kept for the next fault."""

from hypothesis import Phase, settings

settings.register_profile("unshrunk", phases=(Phase.explicit, Phase.generate), database=None)
settings.load_profile("unshrunk")
