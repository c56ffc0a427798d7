"""What can be told of studies, as records. Prints nothing and changes nothing."""
