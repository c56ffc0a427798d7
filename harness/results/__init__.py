"""From the files that a run wrote to values per seed and comparisons. Reads the file it is given; knows no study."""
