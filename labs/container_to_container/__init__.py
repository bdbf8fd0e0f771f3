"""Container to container: two containers of a Pod share one network namespace."""
