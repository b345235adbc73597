"""A node that ends ComfyUI's worker thread without a traceback, as a library that calls sys.exit() does."""


class QuietExit:
    CATEGORY = "test"
    FUNCTION = "run"
    RETURN_TYPES = ()
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        raise SystemExit(1)


NODE_CLASS_MAPPINGS = {"QuietExit": QuietExit}
