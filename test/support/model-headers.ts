/** Headers of model files as their makers publish them: the names and shapes by which kinds are told apart, and a few beside. */

type Shapes = Readonly<Record<string, readonly number[]>>;

const within = (prefix: string, shapes: Shapes): Shapes =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [prefix + name, shape]));
const UNET = "model.diffusion_model.";

const unet = (channels: number, inputs: number, block: number, text: number): Shapes => ({
  "input_blocks.0.0.weight": [channels, inputs, 3, 3],
  [`input_blocks.${block}.1.transformer_blocks.0.attn2.to_k.weight`]: [channels * 2, text],
  "middle_block.0.in_layers.0.weight": [1280],
  "out.2.weight": [4, channels, 3, 3],
});
const VAE: Shapes = within("first_stage_model.", { "encoder.conv_in.weight": [128, 3, 3, 3] });
const CLIP_L = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight";
const sd1 = (inputs: number): Shapes => ({
  ...within(UNET, unet(320, inputs, 1, 768)),
  ...VAE,
  [CLIP_L]: [49408, 768],
});
const sdxl: Shapes = {
  ...within(UNET, unet(320, 4, 4, 2048)),
  ...VAE,
  "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight": [49408, 768],
};
const sd3: Shapes = {
  "x_embedder.proj.weight": [1536, 16, 2, 2],
  "joint_blocks.0.context_block.attn.qkv.weight": [4608, 1536],
  "final_layer.linear.weight": [64, 1536],
};
const flux = (inputs: number): Shapes => ({
  "img_in.weight": [3072, inputs],
  "txt_in.weight": [3072, 4096],
  "vector_in.in_layer.weight": [3072, 768],
  "double_blocks.0.img_attn.norm.key_norm.scale": [128],
});
const guided: Shapes = { "guidance_in.in_layer.weight": [3072, 256] };
const chroma: Shapes = {
  "img_in.weight": [3072, 64],
  "distilled_guidance_layer.norms.0.scale": [5120],
  "double_blocks.0.img_attn.norm.key_norm.scale": [128],
};

export const HEADERS = {
  sd1: sd1(4),
  sd1Inpainting: sd1(9),
  instructPix2Pix: sd1(8),
  sd2: {
    ...within(UNET, unet(320, 4, 1, 1024)),
    ...VAE,
    "cond_stage_model.model.token_embedding.weight": [49408, 1024],
  },
  sdxl,
  sdxlBare: unet(320, 4, 4, 2048),
  sdxlDiffusers: {
    "conv_in.weight": [320, 4, 3, 3],
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight": [640, 2048],
  },
  sdxlRefiner: {
    ...within(UNET, unet(384, 4, 4, 1280)),
    ...VAE,
    "conditioner.embedders.0.model.token_embedding.weight": [49408, 1280],
  },
  sd3: { ...within(UNET, sd3), ...VAE, "text_encoders.clip_l.transformer.text_model.final_layer_norm.weight": [768] },
  sd3Bare: sd3,
  flux: { ...flux(64), ...guided },
  fluxWhole: {
    ...within(UNET, { ...flux(64), ...guided }),
    ...within("vae.", { "encoder.conv_in.weight": [128, 3, 3, 3] }),
    "text_encoders.t5xxl.transformer.shared.weight": [32128, 4096],
  },
  fluxFill: { ...flux(384), ...guided },
  fluxSchnell: flux(64),
  chroma,
  qwenImage: {
    "img_in.weight": [3072, 64],
    "txt_norm.weight": [3584],
    "transformer_blocks.0.attn.norm_added_q.weight": [128],
  },
  playground: { ...sdxl, edm_mean: [1, 4, 1, 1], edm_std: [1, 4, 1, 1] },
  flux2: {
    "img_in.weight": [6144, 128],
    "double_stream_modulation_img.lin.weight": [36864, 6144],
    "double_blocks.0.img_attn.norm.key_norm.scale": [128],
  },
  chromaRadiance: { ...chroma, "nerf_blocks.0.norm.scale": [64] },
  wan: { "head.modulation": [1, 2, 5120], "blocks.0.self_attn.q.weight": [5120, 5120] },
  video: {
    ...within(UNET, unet(320, 8, 1, 1024)),
    [`${UNET}input_blocks.1.1.time_stack.0.attn1.to_q.weight`]: [320, 320],
  },
  vae: { "encoder.conv_in.weight": [128, 3, 3, 3], "decoder.conv_out.weight": [3, 128, 3, 3] },
  lora: { "lora_unet_input_blocks_1_1_proj_in.lora_up.weight": [320, 4] },
  textEncoder: { "text_model.embeddings.token_embedding.weight": [49408, 768] },
} satisfies Record<string, Shapes>;
