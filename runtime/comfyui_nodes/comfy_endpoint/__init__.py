"""What comfy-endpoint adds to ComfyUI: nodes for what A1111 does otherwise, and a route that says whether the thread that runs prompts is alive.

ComfyUI answers every other request as if nothing were wrong after that thread has died, and an exit without a traceback
(SystemExit in a node) leaves no line in the log either.
"""

import threading

from aiohttp import web
from server import PromptServer

from .inpaint_model import ComfyEndpointInpaintModel
from .nodes import SAMPLING_NODES
from .soft_control import ComfyEndpointSoftControl
from .soft_inpainting import ComfyEndpointSoftInpaint, ComfyEndpointSoftInpaintMask

_NODES = (
    ComfyEndpointInpaintModel,
    ComfyEndpointSoftControl,
    ComfyEndpointSoftInpaint,
    ComfyEndpointSoftInpaintMask,
)
NODE_CLASS_MAPPINGS = {**SAMPLING_NODES, **{node.__name__: node for node in _NODES}}


class _Worker:
    """The thread by its name; a ComfyUI that names it otherwise is never called dead."""

    seen = False

    def lives(self):
        """True, False, or None while no such thread was ever seen."""
        lives = any("(prompt_worker)" in thread.name for thread in threading.enumerate())
        self.seen = self.seen or lives
        return lives if self.seen else None


_worker = _Worker()


def _on_prompt(request):
    _worker.lives()  # the prompt that is being posted may be the one that ends it
    return request


@PromptServer.instance.routes.get("/comfy_endpoint/worker")
async def worker(_request):
    return web.json_response({"alive": _worker.lives()})


PromptServer.instance.add_on_prompt_handler(_on_prompt)
