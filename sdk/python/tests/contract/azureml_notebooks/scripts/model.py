from azureml.core import Model

with open(Model.get_model_path("my_model")) as f:
    print(f.read())
