open("weights.py", "w").write("RED = GREEN = BLUE = 1 / 3\n")
