"""podpath's commands, a file each: arguments in, text out, nothing else."""
