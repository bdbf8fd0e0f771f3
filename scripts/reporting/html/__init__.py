"""The HTML report: one file that opens from disk, needs no network and draws the way of each packet."""
