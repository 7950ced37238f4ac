"""Where failures become alerts that people can act on."""
