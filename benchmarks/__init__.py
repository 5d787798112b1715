"""Speed side by side with peers; every line is a ratio of two things measured in the same run."""
