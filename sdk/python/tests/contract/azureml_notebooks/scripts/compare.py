import argparse
import os

parser = argparse.ArgumentParser("compare")
parser.add_argument("--one", type=str)
parser.add_argument("--two", type=str)
parser.add_argument("--report", type=str)
args = parser.parse_args()

found = [sorted(os.listdir(folder)) for folder in (args.one, args.two)]
with open(args.report, "w") as f:
    f.write(repr(found))
print("compared", found)
