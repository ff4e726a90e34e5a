"""OnCall Health's external API, behind the same contract as every EMR."""
