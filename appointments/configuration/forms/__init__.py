"""Forms of the configuration, shared by the administration and the set-up."""
