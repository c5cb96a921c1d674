"""What holds for every test: nothing fails because a machine is busy."""

from hypothesis import HealthCheck, settings

# An example may be slow on a machine that has other work; what one may cost is said where it matters.
settings.register_profile(
    "qafila", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("qafila")
