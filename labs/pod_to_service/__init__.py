"""Pod to Service: one stable address before Pods that come and go."""
