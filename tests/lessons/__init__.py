"""The lessons as they are run: each console block on a real cluster, its output compared or recorded."""
