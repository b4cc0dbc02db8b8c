from azureml.core import Dataset, Run

run = Run.get_context()
print("names:", ", ".join(sorted(run.input_datasets)))
numbers = run.input_datasets["numbers"]
assert Dataset.get_by_name(run.experiment.workspace, "numbers").to_path() == numbers.to_path()
with open(numbers) as f:
    total = sum(int(line.split(";")[1]) for line in f.read().split()[1:])
with open(run.output_datasets["total"] + "/total.txt", "w") as f:
    f.write(str(total))
with open(run.input_datasets["files"] + "/a.txt") as f:
    print("files:", f.read())
