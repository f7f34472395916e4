"""What must be copied is copied: addresses, placeholders, codes and emoji verbatim, numbers by value."""
