"""Rules and dashboards for kcl-flowlog, made from values.yml. Not part of the installed package."""
