"""The providers, each over the protocols it speaks."""
