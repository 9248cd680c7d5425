"""The command `kcl-flowlog who`: asks instances who sent what, and shows what they know together."""
