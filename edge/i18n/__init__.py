"""What people read, by code: catalogues of sentences as data, one file per language."""
