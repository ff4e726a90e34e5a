"""A practice OnCall Health external API (oncall docs; behaviour of DRF where silent)."""
