"""What people see of steps and of answers: values in, posts out."""
