"""Calls every public method of webuiapi's WebUIApi on an endpoint and prints what came back.

Arguments: port. Prints one line of JSON: {"methods": [...], "outcomes": {"method or method: case": {"value": ...} or {"error": text}}}.
"""
import asyncio
import contextlib
import inspect
import json
import sys
import threading
import time

from PIL import Image, ImageDraw
from webuiapi import ADetailer, ControlNetUnit, HiResUpscaler, WebUIApi, WebUIApiResult

PORT = int(sys.argv[1])
LOGIN = ("user", "pass")
SMALL = {"prompt": "a cat", "width": 64, "height": 64, "steps": 3, "seed": 5}
api = WebUIApi(port=PORT, username=LOGIN[0], password=LOGIN[1], sampler="Euler a", steps=3)
MODEL = "tiny-sd15.safetensors"


def picture(width=64, height=64):
    return Image.linear_gradient("L").resize((width, height)).convert("RGB")


def mask():
    drawn = Image.new("L", (64, 64), 0)
    ImageDraw.Draw(drawn).rectangle((16, 16, 47, 47), fill=255)
    return drawn


def shown(value):
    """Pictures by what is in them, the rest as it is."""
    if not isinstance(value, WebUIApiResult):
        return value
    return {
        "sizes": [list(image.size) for image in value.images],
        "formats": [image.format for image in value.images],
        "colours": [len(image.convert("RGB").getcolors(1 << 24)) for image in value.images],
        "info": value.info,
        "parameters": value.parameters,
    }


def run_async(make):
    async def go():
        return await make()

    return asyncio.run(go())


def while_it_runs(act):
    """Acts when a long txt2img is in the middle. Returns what both gave."""
    ended = {}

    def generate():
        try:
            ended["value"] = shown(WebUIApi(port=PORT, username=LOGIN[0], password=LOGIN[1]).txt2img(**{**SMALL, "steps": 400}))
        except Exception as error:
            ended["error"] = str(error)

    thread = threading.Thread(target=generate)
    thread.start()
    while thread.is_alive() and api.get_progress()["state"]["sampling_step"] == 0:
        time.sleep(0.05)
    try:
        acted = act()
    finally:
        api.interrupt()
        thread.join()
    return {"acted": acted, "generation": ended}


def with_login_set_later():
    late = WebUIApi(port=PORT)
    before = late.get_samplers()
    late.set_auth(*LOGIN)
    return {"before": before, "after": len(late.get_samplers())}


def progress_of_work():
    progress = api.get_progress()
    return {"progress": progress["progress"], "state": progress["state"]}


def wait_for_ready():
    api.interrupt()
    return api.util_wait_for_ready(check_interval=0.1)


def model_set(name, find_closest):
    try:
        api.util_set_model(name, find_closest=find_closest)
        return api.util_get_current_model()
    finally:
        api.set_options({"sd_model_checkpoint": MODEL})


def checked_extensions():
    api.check_extensions()
    return {name: getattr(api, name) for name in ("has_controlnet", "has_adetailer", "has_animatediff")}


inpaint = {**SMALL, "images": [picture(96, 80)], "mask_image": mask().resize((96, 80)), "mask_blur": 2}
unit = lambda **fields: [ControlNetUnit(image=picture(), **fields)]

# webuiapi keeps the scripts of a call in the default of its argument, for all later calls: calls with scripts bring their own.
CALLS = {
    "async_post": lambda: run_async(lambda: api.async_post(f"{api.baseurl}/txt2img", SMALL)),
    "check_extensions": checked_extensions,
    "controlnet_detect": lambda: api.controlnet_detect([picture()], module="canny"),
    "controlnet_model_list": api.controlnet_model_list,
    "controlnet_module_list": api.controlnet_module_list,
    "controlnet_version": api.controlnet_version,
    "custom_get": lambda: api.custom_get("sdapi/v1/latent-upscale-modes"),
    "custom_get: below the API": lambda: api.custom_get("upscalers", baseurl=True)[0],
    "custom_post": lambda: api.custom_post("sdapi/v1/txt2img", payload=SMALL),
    "custom_post: asynchronous": lambda: run_async(lambda: api.custom_post("txt2img", payload=SMALL, baseurl=True, use_async=True)),
    "extra_batch_images": lambda: api.extra_batch_images([picture(), picture(48, 32)], upscaler_1="Lanczos"),
    "extra_single_image": lambda: api.extra_single_image(picture(), upscaler_1="tiny-2x", upscaling_resize=1.5),
    "extra_single_image: to a size": lambda: api.extra_single_image(picture(), resize_mode=1, upscaling_resize_w=100, upscaling_resize_h=50, upscaler_1="Nearest"),
    "extra_single_image: unknown upscaler": lambda: api.extra_single_image(picture(), upscaler_1="nope"),
    "get_artist_categories": api.get_artist_categories,
    "get_artists": api.get_artists,
    "get_cmd_flags": api.get_cmd_flags,
    "get_embeddings": api.get_embeddings,
    "get_endpoint": lambda: [api.get_endpoint("a/b", False), api.get_endpoint("a", True)],
    "get_face_restorers": api.get_face_restorers,
    "get_hypernetworks": api.get_hypernetworks,
    "get_latent_upscale_modes": api.get_latent_upscale_modes,
    "get_loras": api.get_loras,
    "get_memory": api.get_memory,
    "get_options": api.get_options,
    "get_progress": api.get_progress,
    "get_progress: of work": lambda: while_it_runs(progress_of_work),
    "get_prompt_styles": api.get_prompt_styles,
    "get_realesrgan_models": api.get_realesrgan_models,
    "get_samplers": api.get_samplers,
    "get_schedulers": api.get_schedulers,
    "get_scripts": api.get_scripts,
    "get_sd_models": api.get_sd_models,
    "get_sd_vae": api.get_sd_vae,
    "get_upscalers": api.get_upscalers,
    "img2img": lambda: api.img2img(images=[picture()], **SMALL),
    "img2img: two pictures": lambda: api.img2img(images=[picture(), picture()], batch_size=2, **SMALL),
    "img2img: inpainting, only masked": lambda: api.img2img(**inpaint),
    "img2img: inpainting, whole picture": lambda: api.img2img(**inpaint, inpaint_full_res=False, inpainting_fill=1),
    "img2img: no picture": lambda: api.img2img(images=[], **SMALL),
    "interrogate": lambda: api.interrogate(picture()),
    "interrupt": lambda: while_it_runs(api.interrupt),
    "list_prompt_gen_models": api.list_prompt_gen_models,
    "png_info": lambda: api.png_info(Image.new("RGB", (8, 8))),
    "post_and_get_api_result": lambda: api.post_and_get_api_result(f"{api.baseurl}/txt2img", {**SMALL, "sampler_name": "Nope"}, False),
    "prompt_gen": lambda: api.prompt_gen(text="a cat"),
    "refresh_checkpoints": api.refresh_checkpoints,
    "set_auth": with_login_set_later,
    "set_options": lambda: api.set_options(api.get_options()),
    "set_options: unknown model": lambda: api.set_options({"sd_model_checkpoint": "nope"}),
    "skip": api.skip,
    "txt2img": lambda: api.txt2img(**SMALL),
    "txt2img: batches": lambda: api.txt2img(**SMALL, batch_size=2, n_iter=2, send_images=True),
    "txt2img: hires fix": lambda: api.txt2img(**SMALL, enable_hr=True, hr_scale=1.5, hr_upscaler=HiResUpscaler.Latent),
    "txt2img: LoRA, clip skip, jpg": lambda: api.txt2img(**{**SMALL, "prompt": "a cat <lora:tiny-lora:0.5>"}, override_settings={"CLIP_stop_at_last_layers": 2, "samples_format": "jpg"}),
    "txt2img: asynchronous": lambda: run_async(lambda: api.txt2img(**SMALL, use_async=True)),
    "txt2img: ControlNet": lambda: api.txt2img(**SMALL, alwayson_scripts={}, controlnet_units=unit(module="canny", model="tiny-controlnet")),
    "txt2img: ControlNet preprocessor": lambda: api.txt2img(**SMALL, alwayson_scripts={}, controlnet_units=unit(module="openpose", model="tiny-controlnet")),
    "txt2img: ADetailer": lambda: api.txt2img(**SMALL, alwayson_scripts={}, adetailer=[ADetailer(ad_model="face_yolov8n.pt")]),
    "util_get_current_model": api.util_get_current_model,
    "util_get_model_names": api.util_get_model_names,
    "util_get_sampler_names": api.util_get_sampler_names,
    "util_get_scheduler_names": api.util_get_scheduler_names,
    "util_set_model": lambda: model_set(api.util_get_model_names()[-1], False),
    "util_set_model: closest": lambda: model_set("tiny_SD15_inpaint", True),
    "util_wait_for_ready": lambda: while_it_runs(wait_for_ready),
}


def outcome(call):
    try:
        return {"value": shown(call())}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


with contextlib.redirect_stdout(sys.stderr):  # where webuiapi's own prints do no harm
    api.set_options({"sd_model_checkpoint": MODEL})
    outcomes = {name: outcome(call) for name, call in CALLS.items()}
methods = [name for name, _ in inspect.getmembers(WebUIApi, inspect.isfunction) if not name.startswith("_")]
print(json.dumps({"methods": methods, "outcomes": outcomes}))
