"""A node for the control modes of A1111's ControlNet extension."""

# From the middle of the network outwards, every layer of a ControlNet weighs this much less than the one before.
_DECAY = 0.825
# SD1's ControlNets have so many layers before the middle; those of others end earlier, as in the extension.
_LAST = 12
# A T2I-adapter has only these.
_ADAPTER = (0.25, 0.62, 0.825, 1.0)


def soften(control):
    """The layers' outputs, each with its weight."""
    softened = {key: list(values) for key, values in control.items()}
    is_adapter = any(layer is not None for layer in softened.get("input", ()))
    layers = [
        (key, index)
        for key in ("input", "output", "middle")
        for index, layer in enumerate(softened.get(key, ()))
        if layer is not None or not is_adapter
    ]
    for place, (key, index) in enumerate(layers):
        if softened[key][index] is not None:
            weight = _ADAPTER[place] if is_adapter else _DECAY ** (_LAST - place)
            softened[key][index] = softened[key][index] * weight
    return softened


def soft(control_net):
    """A copy whose layers count the less the farther they are from the middle; so do its own copies."""
    copied = control_net.copy()
    merge, copy = copied.control_merge, copied.copy
    copied.control_merge = lambda control, *args, **kwargs: merge(soften(control), *args, **kwargs)
    copied.copy = lambda: soft(copy())
    return copied


class ComfyEndpointSoftControl:
    """Lets the prompt have its way where a ControlNet says details."""

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"control_net": ("CONTROL_NET",)}}

    RETURN_TYPES = ("CONTROL_NET",)
    FUNCTION = "soften"
    CATEGORY = "comfy-endpoint"

    def soften(self, control_net):
        return (soft(control_net),)
