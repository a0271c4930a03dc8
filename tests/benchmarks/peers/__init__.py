"""What Stagebox is measured against."""
