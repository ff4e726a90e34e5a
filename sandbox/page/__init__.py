"""The page on which a person plays the receptionist of both systems."""
