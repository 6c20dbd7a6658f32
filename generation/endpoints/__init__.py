"""The servers that fill the roles: one client each, how many requests it gets at a time, and whether it is well."""
