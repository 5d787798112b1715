"""NetX, the HDF5 format of lava-dl: layers for its importer, and the whole network beside them."""
