"""What people see of steps and answers: values in, posts out."""
