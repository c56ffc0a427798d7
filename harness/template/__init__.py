"""An experiment and what belongs to it: template.toml, files, ideas, stored baseline. Reads a project; runs nothing."""
