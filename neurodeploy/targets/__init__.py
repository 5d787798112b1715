"""What each target holds, and the rewrites that bring a network there."""
