"""Views of studies, as records. Prints nothing and changes nothing."""
