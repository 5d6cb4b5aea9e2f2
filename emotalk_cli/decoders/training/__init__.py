"""From records to a checkpoint: options, data, losses, the loop and its journal."""
