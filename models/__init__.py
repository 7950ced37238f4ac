"""What is: transactions, features, profiles, the online model, its snapshots and how well it does. No I/O, no clock."""
