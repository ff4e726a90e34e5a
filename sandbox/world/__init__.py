"""What both practice systems share: switches, faults, logs, webhooks, seeding."""
