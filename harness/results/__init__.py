"""From the files that a run wrote to values per seed and comparisons. Knows nothing about studies."""
