"""One job on one machine, whatever engine starts it. The only room that starts processes."""
