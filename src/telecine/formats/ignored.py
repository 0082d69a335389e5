"""FFmpeg's general options, which it takes for every encoder, and those that each of them reads.

The others an encoder ignores in silence. What FFmpeg does not know at all it gives back, and need not be listed.
"""

from __future__ import annotations

from collections.abc import Iterable

# Those of video encoders in libavcodec/options_table.h of FFmpeg 8.1, but for those that are FFmpeg's own business.
_GENERAL = """
    alpha_mode b b_qfactor b_qoffset bf bidir_refine bt bufsize chroma_sample_location cmp compression_level dark_mask
    dc dct dia_size err_detect field_order flags2 g global_quality i_qfactor i_qoffset idct ildctcmp
    keyint_min last_pred level lumi_mask maxrate mbcmp mbd mblmax mblmin me_range minrate mv0_threshold nssew p_mask
    pre_dia_size precmp profile qblur qcomp qdiff qmax qmin rc_init_occupancy rc_max_vbv_use rc_min_vbv_use refs
    scplx_mask slices strict subcmp subq tcplx_mask thread_type threads trellis
"""
_RATE = "b maxrate bufsize"
_X264 = f"""
    {_RATE} rc_init_occupancy i_qfactor b_qfactor g bf qmin qmax qdiff qblur qcomp refs trellis me_range subq keyint_min
    cmp slices threads thread_type level profile chroma_sample_location
"""
_NVENC = f"{_RATE} rc_init_occupancy i_qfactor b_qfactor g bf qmin qmax refs slices level profile delay"
_QSV = f"""
    {_RATE} minrate rc_init_occupancy i_qfactor b_qfactor i_qoffset b_qoffset g bf keyint_min refs slices trellis
    global_quality compression_level level profile
"""
_AMF = f"{_RATE} rc_init_occupancy g bf qmin qmax refs slices level profile"
_VAAPI = f"""
    {_RATE} rc_init_occupancy i_qfactor b_qfactor i_qoffset b_qoffset g bf qmin qmax slices global_quality
    compression_level level profile
"""
_VIDEOTOOLBOX = f"{_RATE} g bf qmin qmax global_quality level profile"

# By what their sources in libavcodec take from AVCodecContext, and the private options that are called the same.
_READ = {
    "libx264": _X264,
    "libx264rgb": _X264,
    "libx265": f"""
        {_RATE} rc_init_occupancy i_qfactor b_qfactor g bf qmin qmax qdiff qblur qcomp refs keyint_min threads profile
        chroma_sample_location
    """,
    "libsvtav1": f"{_RATE} qmin qmax g level profile chroma_sample_location",
    "libvpx-vp9": f"{_RATE} minrate rc_init_occupancy g qmin qmax qcomp keyint_min threads level profile",
    "libopenh264": "b maxrate g qmin qmax slices threads profile",
    "prores_ks": "global_quality threads thread_type profile",
    "ffv1": "g level slices threads thread_type strict",
    "nvenc": _NVENC,
    "qsv": _QSV,
    "amf": _AMF,
    "vaapi": _VAAPI,
    "videotoolbox": _VIDEOTOOLBOX,
}
GENERAL = frozenset(_GENERAL.split())
_READ_BY = {encoder: frozenset(names.split()) for encoder, names in _READ.items()}


def ignored_options(encoder: str, names: Iterable[str]) -> list[str]:
    """Give those of the options that are general and that the encoder does not read.

    >>> ignored_options("libsvtav1", ["crf", "g", "bf"])
    ['bf']
    """
    read = _READ_BY.get(encoder) or _READ_BY[encoder.rpartition("_")[2]]  # "h264_nvenc" as all of that maker's
    return [name for name in names if name in GENERAL and name not in read]
