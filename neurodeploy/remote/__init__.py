"""Workers elsewhere: job folders, blocks of finished samples, places, and the protocol."""
