"""What a study is: the events of its journal, and what follows from them. Reads and writes journals, nothing else."""
