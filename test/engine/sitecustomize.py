import sys


class _Ops:
    def find_spec(self, name, path=None, target=None):
        if name != "torchvision":
            return None
        sys.meta_path.remove(self)
        import importlib.util
        import torch
        spec = importlib.util.find_spec("torchvision")
        try:
            import pathlib
            for so in pathlib.Path(spec.origin).parent.glob("_C*.so"):
                torch.ops.load_library(str(so))
        except Exception:
            pass
        for op in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, op):
                torch.library.define("torchvision::" + op, "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return None


sys.meta_path.insert(0, _Ops())
