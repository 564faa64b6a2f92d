"""txtornado's tests, for trial."""

from hypothesis import settings

# No test may depend on how fast the machine is, or leave files in the checkout.
settings.register_profile("txtornado", deadline=None, database=None)
settings.load_profile("txtornado")
