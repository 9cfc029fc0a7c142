"""One blueprint per audience; each view is a few lines into a flow."""
