import argparse
import os
import shutil

parser = argparse.ArgumentParser("copy")
parser.add_argument("--rows")
parser.add_argument("--copied")
parser.add_argument("--times", type=int)
args = parser.parse_args()
for number in range(args.times):
    shutil.copy(os.path.join(args.rows, "a.txt"), os.path.join(args.copied, "%d.txt" % number))
assert os.environ["AML_PARAMETER_times"] == str(args.times)
