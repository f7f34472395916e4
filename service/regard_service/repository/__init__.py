"""The models of a server: found on disk, loaded, chosen for a call, unloaded.

The modules:

    catalogue           the bundles in the model directories
    loader              a bundle becomes a loaded model
    warm_up             the first tokens of a loaded model
    limits              how many models may be in memory, and of what size
    preference          which of several models answers a call that names none
    model_repository    the models in every state
    administration      loading and unloading while calls run
"""
