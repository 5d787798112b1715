"""Sound in, sound out: files, encoders, data sets, mixtures, and enhancement as it comes."""
