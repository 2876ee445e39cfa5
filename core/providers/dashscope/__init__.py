"""Alibaba Cloud Model Studio (DashScope): Qwen-Image, Qwen-Image-Edit, Wanx."""
