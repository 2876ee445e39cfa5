"""What Easel is: it knows no platform."""
